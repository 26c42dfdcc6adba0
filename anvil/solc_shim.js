#!/usr/bin/env node
// The official Solidity compiler (npm `solc`, WebAssembly) behind the command line of the native one.
// forge and py-solc-x call `solc --version` and `solc --standard-json`, with the input on stdin.
"use strict";

const fs = require("fs");
const path = require("path");

const MAX_INPUT_BYTES = 64 * 1024 * 1024;
const VALUE_OPTIONS = new Set(["--allow-paths", "--base-path", "--include-path"]);

function parse(argv) {
  const options = { mode: null, roots: [], allowed: [] };
  let base = null;
  for (let i = 0; i < argv.length; i += 1) {
    const [name, inline] = argv[i].split(/=(.*)/s, 2);
    if (VALUE_OPTIONS.has(name)) {
      const value = inline === undefined ? argv[(i += 1)] : inline;
      if (value === undefined) fail(`${name} needs a value`);
      if (name === "--base-path") base = value;
      if (name === "--include-path") options.roots.push(value);
      if (name === "--allow-paths") options.allowed.push(...value.split(","));
    } else if (name === "--version" || name === "--standard-json") {
      options.mode = name;
    } else if (name !== "-") {
      fail(`option ${name} is not known to this compiler front`);
    }
  }
  options.roots.unshift(base === null ? process.cwd() : base);
  return options;
}

function fail(sentence) {
  process.stderr.write(`solc: ${sentence}\n`);
  process.exit(1);
}

function inside(folder, file) {
  const relative = path.relative(folder, file);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

// As with the native compiler, an import may only reach the folders that the caller named.
function importer(roots, allowed) {
  const folders = [...roots, ...allowed].map((folder) => path.resolve(folder));
  return (name) => {
    for (const root of roots) {
      const file = path.resolve(root, name);
      if (!folders.some((folder) => inside(folder, file))) continue;
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `${name} was not found under ${roots.join(", ")}` };
  };
}

function main() {
  const options = parse(process.argv.slice(2));
  if (options.mode === null) fail("use --version or --standard-json");
  const solc = require("solc");
  if (options.mode === "--version") {
    const version = solc.version().replace(/\.Emscripten.*$/, "");
    process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}.Emscripten.clang\n`);
    return;
  }
  const input = fs.readFileSync(0);
  if (input.length > MAX_INPUT_BYTES) fail(`the input is larger than ${MAX_INPUT_BYTES} bytes`);
  process.stdout.write(solc.compile(input.toString("utf8"), { import: importer(options.roots, options.allowed) }));
}

main();
