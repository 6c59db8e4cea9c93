// Builds a stage: node build.mjs SOURCE WORLD WIT COMPONENT
//
// Needs `@bytecodealliance/componentize-js` in the version that package.json names. Left out are `fetch`, because a
// stage calls other services through the host or not at all, and the clock and random numbers: the same item has the same
// outcome each time, and instances can begin where `init` ended.

import { writeFile } from "node:fs/promises";

import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, worldName, witPath, file] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath,
  worldName,
  witPath,
  disableFeatures: ["http", "fetch-event", "clocks", "random"],
});
await writeFile(file, component);
