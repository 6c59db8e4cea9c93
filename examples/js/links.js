// Takes what only follows readers off the links of a page view, and drops those of robots.

import { component, drop, jsonOf, reject, Stage } from "./gristmill.js";

const FOLLOWS = /^(utm_.*|gclid|fbclid|mc_eid)$/;

class Links extends Stage {
  static about = {
    name: "links",
    version: "0.1.0",
    description: "Takes what only follows readers off links",
    accepts: ["application/json"],
    configSchema: {
      type: "object",
      properties: { keep: { type: "array", items: { type: "string" } } },
      additionalProperties: false,
    },
  };

  process(item) {
    const view = item.json();
    if (/bot|crawler|spider/i.test(view?.agent ?? "")) throw drop("robot");
    const url = parsed(view?.url);
    const keep = new Set(this.config.keep ?? []);
    const names = [...new Set(url.searchParams.keys())].filter((name) => FOLLOWS.test(name) && !keep.has(name));
    for (const name of names) url.searchParams.delete(name);
    return [jsonOf(item, { ...view, url: String(url) }, { attributes: { "links.removed": names.length } })];
  }
}

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    throw reject("not-a-url", "`url` is missing or no address");
  }
}

export const { lifecycle, handler } = component(Links);
