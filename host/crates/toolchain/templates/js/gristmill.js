// Write Gristmill stages in JavaScript. Experimental.
//
// A stage is a class; `component` makes the component's exports of it:
//
//     import { component, outputOf, Stage } from "./gristmill.js";
//
//     class Shout extends Stage {
//       static about = { name: "shout", accepts: ["text/*"] };
//       process(item) {
//         return [outputOf(item, { payload: item.text().toUpperCase() })];
//       }
//     }
//
//     export const { lifecycle, handler } = component(Shout);
//
// Throw what `reject`, `drop`, `permanent`, `retryable` or `rateLimited` make to end an item in another way. Any Error is a bug
// of the stage: the item gets one more attempt, then its dead letter has the error's stack.

import { isRouted, timeLeft } from "gristmill:stage/context@0.2.2";
import { log as tell } from "gristmill:stage/logging@0.2.2";

export { isRouted, timeLeft };

/** Ends an item other than by outputs. Not an Error: those are bugs. */
class Ending {
  constructor(outcome, error) {
    this.outcome = outcome;
    this.error = error;
  }
}

const failure = (code, message, details) => ({
  code,
  message,
  detailsJson: details === undefined ? undefined : JSON.stringify(details),
});
const millis = (after) => (after === undefined || after === null ? undefined : BigInt(after));

/** The data is bad and no retry will help. `code` is stable and kebab-case; the message reaches logs and dead letters: no
 * secrets, no text of the document. */
export const reject = (code, message, details) => new Ending({ tag: "reject", val: failure(code, message, details) });

/** The item is left out on purpose. */
export const drop = (code) => new Ending({ tag: "drop", val: code });

/** It will fail the same way every time. */
export const permanent = (code, message, details) =>
  new Ending(undefined, { tag: "permanent", val: failure(code, message, details) });

/** A transient failure of this item, which is tried again after at least `after` milliseconds. */
export const retryable = (code, message, after) =>
  new Ending(undefined, { tag: "retryable", val: { cause: failure(code, message), after: millis(after) } });

/** A transient failure that other items will meet too: the whole pipeline slows down. */
export const rateLimited = (code, message, after) =>
  new Ending(undefined, { tag: "rate-limited", val: { cause: failure(code, message), after: millis(after) } });

/** A fault in the configuration that a schema cannot express, at a JSON Pointer ("" for all of it). Throw it in the constructor. */
export class ConfigFault extends Error {
  constructor(pointer, message) {
    super(message);
    this.pointer = pointer;
  }
}

/** What a stage gets: the fields of `item` in wit/types.wit, such as `id`, `payload` and `contentType`, and these methods. */
export class Item {
  constructor(item) {
    Object.assign(this, item);
  }

  /** The payload as text. Rejects the item if it is not UTF-8. */
  text() {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.payload);
    } catch {
      throw reject("not-utf8", "the payload is not UTF-8 text");
    }
  }

  /** The payload as a JSON value. Rejects the item if it is not JSON. */
  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch {
      // The engine's message repeats words of the document.
      throw reject("invalid-json", "the payload is not JSON");
    }
  }

  /** The value of an attribute, or undefined. */
  attribute(name) {
    return this.attributes.find((each) => each.name === name)?.value;
  }

  /** The value of the first header of that name that has one, as bytes, or undefined. */
  header(name) {
    return this.headers.find((each) => each.name === name && each.value !== undefined)?.value;
  }
}

/** An output with the item's payload, media type and headers, but for these changes. `payload` may be text; `attributes` is an
 * object. */
export function outputOf(item, changes = {}) {
  return { payload: item.payload, contentType: item.contentType, headers: item.headers, ...changes };
}

/** An output with this value as JSON, and the item's headers. */
export function jsonOf(item, value, changes = {}) {
  return outputOf(item, { payload: JSON.stringify(value), contentType: "application/json", ...changes });
}

/** A message for the operator, who sees it with stage and job. */
export function log(message, level = "info") {
  tell(level, "", message);
}

/** One stage. Nothing can be remembered between items. */
export class Stage {
  /** `name`, `version`, `description`; `accepts`: media types, "*" allowed after the slash, empty means any; `branches`: labels
   * that outputs may name, each with a description; `configSchema`: JSON Schema (2020-12) of the configuration. */
  static about = {};

  /** May throw a `ConfigFault`. `config` fits the schema. */
  constructor(config) {
    this.config = config;
  }

  /** Returns the outputs for one item. */
  process(item) {
    throw new Error(`process(${item.id}) is not there`);
  }
}

const utf8 = new TextEncoder();

function toHost({ payload, contentType, key, headers = [], attributes = {}, branch }) {
  return {
    payload: typeof payload === "string" ? utf8.encode(payload) : payload,
    contentType,
    key,
    headers,
    attributes: Object.entries(attributes).map(([name, value]) => ({ name, value: String(value) })),
    branch,
  };
}

/** What the component exports. */
export function component(StageClass) {
  let stage;
  const nothing = { type: "object", additionalProperties: false };
  const about = { name: "unnamed", version: "0.1.0", description: "", accepts: [], branches: {}, configSchema: nothing };
  const lifecycle = {
    describe() {
      const { name, version, description, accepts, branches, configSchema } = { ...about, ...StageClass.about };
      const labels = Object.entries(branches).map(([label, said]) => ({ label, description: said }));
      return { name, version, description, configSchemaJson: JSON.stringify(configSchema), accepts, branches: labels };
    },
    init(configJson) {
      try {
        stage = new StageClass(JSON.parse(configJson));
      } catch (fault) {
        if (fault instanceof ConfigFault) throw [{ pointer: fault.pointer, message: fault.message }];
        throw fault;
      }
    },
  };
  const handler = {
    process(item) {
      try {
        return { tag: "emit", val: stage.process(new Item(item)).map(toHost) };
      } catch (ending) {
        if (ending instanceof Ending && ending.outcome) return ending.outcome;
        if (ending instanceof Ending) throw ending.error;
        // A trap alone would not say where.
        console.error(ending instanceof Error ? `${ending}\n${ending.stack}` : ending);
        throw ending instanceof Error ? ending : new Error(String(ending));
      }
    },
  };
  return { lifecycle, handler };
}
