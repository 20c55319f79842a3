/** Writes docs/config.md from the option table. */
import { writeFileSync } from 'node:fs';
import { configMarkdown } from './config.ts';

writeFileSync(new URL('../../docs/config.md', import.meta.url), configMarkdown());
