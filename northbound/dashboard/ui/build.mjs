// Builds the dashboard into ../dist, which is committed so that Go needs no node.
//
//   node build.mjs           build
//   node build.mjs --check   fail if ../dist is not what a build gives
//   node build.mjs --test    run the tests of pure logic under ./test
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, '..', 'dist');

/** Returns the files of the dashboard by name. */
async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: ['src/main.tsx', 'src/style.css'],
    outdir: 'out',
    entryNames: 'assets/[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    charset: 'utf8',
    write: false,
    metafile: true,
  });
  const files = new Map(result.outputFiles.map((f) => [path.relative(path.join(here, 'out'), f.path), f.text]));
  const named = (entry) => Object.entries(result.metafile.outputs).find(([, o]) => o.entryPoint === entry)[0].replace(/^out\//, '');
  const page = fs.readFileSync(path.join(here, 'src', 'index.html'), 'utf8')
    .replace('{{script}}', named('src/main.tsx')).replace('{{style}}', named('src/style.css'));
  return files.set('index.html', page);
}

function write(files) {
  fs.rmSync(dist, { recursive: true, force: true });
  for (const [name, text] of files) {
    fs.mkdirSync(path.dirname(path.join(dist, name)), { recursive: true });
    fs.writeFileSync(path.join(dist, name), text);
  }
}

function check(files) {
  const there = fs.readdirSync(dist, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
    .map((e) => path.relative(dist, path.join(e.parentPath ?? e.path, e.name)));
  const stale = [...files].filter(([name, text]) => !there.includes(name) || fs.readFileSync(path.join(dist, name), 'utf8') !== text).map(([name]) => name);
  stale.push(...there.filter((name) => !files.has(name)));
  if (stale.length > 0) {
    console.error(`northbound/dashboard/dist is not what its source gives (${stale.join(', ')}): run "make ui" and commit the result`);
    process.exit(1);
  }
}

/** Bundles the tests, since node does not run TypeScript, and gives them to node's test runner. */
async function test() {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'heddle-ui-test-'));
  try {
    const entryPoints = fs.readdirSync(path.join(here, 'test')).filter((f) => f.endsWith('.test.ts')).map((f) => path.join(here, 'test', f));
    await build({ absWorkingDir: here, entryPoints, outdir: out, outExtension: { '.js': '.mjs' }, bundle: true, format: 'esm', platform: 'node', jsx: 'automatic', jsxImportSource: 'preact' });
    const tests = fs.readdirSync(out).map((f) => path.join(out, f));
    return spawnSync(process.execPath, ['--test', ...tests], { stdio: 'inherit' }).status ?? 1;
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}

switch (process.argv[2]) {
  case undefined:
    write(await bundle());
    break;
  case '--check':
    check(await bundle());
    break;
  case '--test':
    process.exitCode = await test();
    break;
  default:
    console.error(`build.mjs: what is ${process.argv[2]}?`);
    process.exitCode = 2;
}
