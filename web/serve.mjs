// SPDX-License-Identifier: Apache-2.0
// A static server for one folder that answers as GitHub Pages does. Node's own modules only.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';

const types = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
};
const compressible = /^text\/|json|svg|wasm/;

/** The file that `path` asks for, with symbolic links followed; undefined when there is none or it lies outside `root`. */
async function locate(root, path) {
  try {
    const file = await realpath(join(root, decodeURIComponent(path)));
    return file === root || file.startsWith(root + sep) ? { file, info: await stat(file) } : undefined;
  } catch {
    return undefined; // no such file, or a path that cannot be decoded
  }
}

function sendText(response, status, text, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : `${text}\n`);
}

function sendFile(request, response, { file, info }) {
  const type = types[extname(file)] ?? 'application/octet-stream';
  const zip = compressible.test(type) && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  const etag = `W/"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
  response.setHeader('ETag', etag);
  response.setHeader('Vary', 'Accept-Encoding');
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
  const body = zip ? { 'Content-Encoding': 'gzip' } : { 'Content-Length': info.size };
  response.writeHead(200, { 'Content-Type': type, ...body });
  if (request.method === 'HEAD') return void response.end();
  const parts = [createReadStream(file), ...(zip ? [createGzip()] : []), response];
  pipeline(parts, () => {}); // a visitor who leaves early is no error
}

async function answer({ root, cors }, request, response) {
  if (cors) response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Cache-Control', 'no-cache'); // ask again each time: the ETag makes that cheap
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return sendText(response, 405, `405: this server does not ${request.method}.`, { Allow: 'GET, HEAD' });
  }
  const [, path, query] = /^([^?]*)(.*)$/.exec(request.url);
  let found = await locate(root, path);
  if (found?.info.isDirectory()) {
    if (!path.endsWith('/')) return sendText(response, 301, 'Moved.', { Location: `./${basename(path)}/${query}` });
    found = await locate(root, `${path}index.html`);
  } else if (path.endsWith('/')) found = undefined; // a file is not a folder
  if (!found?.info.isFile()) return sendText(response, 404, `404: there is nothing at ${path}`);
  return sendFile(request, response, found);
}

/** Serves `folder` (port 0: any free one; without `cors`: not to other sites). Rejects with one sentence that says what is wrong. */
export async function startServer({ folder, port = 4173, host = '127.0.0.1', cors = true }) {
  const root = await realpath(folder).catch(() => undefined);
  const missing = `There is no folder ${resolve(folder)} to serve: build the page first (./dev build).`;
  if (!root || !(await stat(root)).isDirectory()) throw new Error(missing);
  const server = createServer((request, response) => void answer({ root, cors }, request, response));
  await new Promise((done, fail) => server.once('error', fail).listen(port, host, done)).catch((error) => {
    const busy = `Port ${port} on ${host} is in use: stop the other program or choose another port (0 takes any free one).`;
    throw new Error(error.code === 'EADDRINUSE' ? busy : `Cannot listen on ${host}, port ${port}: ${error.message}.`);
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.address().port}/`;
  const close = () => new Promise((done) => server.close(done).closeAllConnections());
  return { url, port: server.address().port, close };
}

async function main() {
  const options = { port: { type: 'string', default: '4173' }, host: { type: 'string', default: '127.0.0.1' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : NaN;
  const usage = 'Usage: node web/serve.mjs FOLDER [--port 0..65535] [--host ADDRESS]';
  if (positionals.length !== 1 || !(port <= 65535)) throw new Error(usage);
  const { url } = await startServer({ folder: positionals[0], port, host: values.host });
  console.log(`Serving ${resolve(positionals[0])} at ${url} (Ctrl+C stops it)`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
