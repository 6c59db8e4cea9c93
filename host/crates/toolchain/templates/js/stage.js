// A stage that puts one space between words and counts them.

import { component, outputOf, Stage } from "./gristmill.js";

class {{type}} extends Stage {
  static about = {
    name: "{{name}}",
    description: "Puts one space between words and counts them",
    accepts: ["text/*"],
  };

  process(item) {
    const words = item.text().split(/\s+/).filter((word) => word);
    return [outputOf(item, { payload: words.join(" "), attributes: { "{{name}}.words": words.length } })];
  }
}

export const { lifecycle, handler } = component({{type}});
