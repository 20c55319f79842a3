/** The chain store's journal as another thread reads it: entries cross as bytes and are decoded here. */
import type { Bytes } from '../common/bytes.ts';
import type { Journal, JournalEntry } from '../projections/projection.ts';
import { decodeJournalEntry } from '../store/journalCodec.ts';

/** What the chain worker serves of its journal. */
export interface JournalService {
  readJournal(fromIndex: number, limit: number, maxBytes: number): Promise<Bytes[]>;
  journalEnd(): number;
  logId(): Bytes | undefined;
}

type RemoteJournalService = {
  readJournal(fromIndex: number, limit: number, maxBytes: number): Promise<Bytes[]>;
  journalEnd(): Promise<number>;
  logId(): Promise<Bytes | undefined>;
};

export class RemoteJournal implements Journal {
  readonly #service: RemoteJournalService;
  readonly #waiting = new Set<() => void>();
  #end = 0;

  constructor(service: RemoteJournalService) {
    this.#service = service;
  }

  get end(): number {
    return this.#end;
  }

  /** The chain worker said that its journal ends here now. */
  moved(end: number): void {
    if (end <= this.#end) return;
    this.#end = end;
    for (const check of [...this.#waiting]) check();
  }

  async logId(signal: AbortSignal): Promise<Bytes> {
    await this.whenBeyond(0, signal);
    const logId = await this.#service.logId();
    if (logId === undefined) throw new Error('the journal has entries but no log id');
    return logId;
  }

  async read(fromIndex: number, limit: number, maxBytes: number): Promise<readonly JournalEntry[]> {
    const entries = await this.#service.readJournal(fromIndex, limit, maxBytes);
    return entries.map((bytes) => decodeJournalEntry(bytes));
  }

  whenBeyond(index: number, signal: AbortSignal): Promise<void> {
    if (this.#end > index) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (this.#end <= index && !signal.aborted) return;
        this.#waiting.delete(check);
        signal.removeEventListener('abort', check);
        if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        else resolve();
      };
      this.#waiting.add(check);
      signal.addEventListener('abort', check);
      check();
    });
  }
}
