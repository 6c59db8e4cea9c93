"""Write Gristmill stages in Python. Experimental.

A stage is a class; `export` makes the component's exports of it:

    from gristmill import Output, Stage, export

    class Shout(Stage):
        name = "shout"
        accepts = ["text/*"]

        def process(self, item):
            return [Output.of(item, payload=item.text().upper())]

    Lifecycle, Handler = export(Shout)

Raise `Reject`, `Drop`, `Permanent`, `Retryable` or `RateLimited` to end an item in another way. Any other exception is a
bug of the stage: the item gets one more attempt, then its dead letter has the end of the traceback.
"""

import json
from dataclasses import dataclass, field

import wit_world
from componentize_py_types import Err
from wit_world.exports import lifecycle
from wit_world.imports import context, logging, types


class StageError(Exception):
    """An item that is not emitted. `code` is stable and kebab-case; the message reaches logs and dead letters: no secrets,
    no text of the document. `details` is any JSON value, for the dead letter."""

    def __init__(self, code, message="", details=None):
        super().__init__(f"{code}: {message}")
        self.failure = types.Failure(code, message, None if details is None else json.dumps(details))


class Reject(StageError):
    """The data is bad and no retry will help."""


class Permanent(StageError):
    """It will fail the same way every time."""


class Retryable(StageError):
    """A transient failure of this item, which is tried again after at least `after` milliseconds."""

    def __init__(self, code, message="", after=None, details=None):
        super().__init__(code, message, details)
        self.after = after


class RateLimited(Retryable):
    """A transient failure that other items will meet too: the whole pipeline slows down."""


class Drop(Exception):
    """The item is left out on purpose."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class ConfigFault(Exception):
    """A fault in the configuration that a schema cannot express, at a JSON Pointer ("" for all of it)."""

    def __init__(self, pointer, message):
        super().__init__(f"{pointer}: {message}")
        self.pointer, self.message = pointer, message


class Item:
    """What a stage gets. It has the fields of `item` in wit/types.wit, such as `id`, `payload` and `content_type`."""

    def __init__(self, item):
        self._item = item

    def __getattr__(self, name):
        return getattr(self._item, name)

    def text(self):
        """The payload as text. Rejects the item if it is not UTF-8."""
        try:
            return self.payload.decode()
        except UnicodeDecodeError as error:
            raise Reject("not-utf8", f"the payload is not UTF-8 after {error.start} bytes") from None

    def json(self):
        """The payload as a JSON value. Rejects the item if it is not JSON."""
        try:
            return json.loads(self.payload)
        except UnicodeDecodeError:
            raise Reject("invalid-json", "the payload is not UTF-8") from None
        except json.JSONDecodeError as error:
            raise Reject("invalid-json", f"this is not JSON at line {error.lineno} column {error.colno}") from None
        except RecursionError:
            raise Reject("invalid-json", "the JSON is nested too deeply") from None

    def attribute(self, name):
        """The value of an attribute, or None."""
        return next((each.value for each in self.attributes if each.name == name), None)

    def header(self, name):
        """The value of the first header of that name that has one, as bytes, or None."""
        return next((each.value for each in self.headers if each.name == name and each.value is not None), None)


@dataclass
class Output:
    """What a stage emits. `headers` is the complete list; `attributes` are added to those of the item."""

    payload: bytes | str
    content_type: str | None = None
    key: bytes | None = None
    headers: list = field(default_factory=list)
    attributes: dict = field(default_factory=dict)
    branch: str | None = None

    @classmethod
    def of(cls, item, payload=None, **changes):
        """An output with the item's payload, media type and headers, but for these changes."""
        same = {"content_type": item.content_type, "headers": list(item.headers)}
        return cls(item.payload if payload is None else payload, **(same | changes))

    @classmethod
    def json(cls, item, value, **changes):
        """An output with this value as JSON, and the item's headers."""
        return cls.of(item, json.dumps(value, ensure_ascii=False), **({"content_type": "application/json"} | changes))


class Stage:
    """One stage. Nothing can be remembered between items."""

    name = "unnamed"
    version = "0.1.0"
    description = ""
    #: Media types, "*" allowed after the slash; empty means any.
    accepts = ()
    #: Labels that outputs may name, each with a description.
    branches = {}
    #: JSON Schema (2020-12) of the configuration.
    config_schema = {"type": "object", "additionalProperties": False}

    def __init__(self, config):
        """Raises `ConfigFault`. `config` fits the schema."""

    def process(self, item):
        """Returns the outputs for one item."""
        raise NotImplementedError


def chat(user, system=None, model=None, schema=None, **more):
    """Asks a model that the pipeline file calls by this alias, and returns its answer: text, or with a `schema` the JSON
    value, which the host has checked. `more` are fields of `request` in wit/llm.wit, such as `temperature`.

    Needs the world `llm-stage`, and in the pipeline file `grants = ["llm"]`. An error of the model becomes the stage's, each
    the one that fits: do not catch it to try again."""
    from wit_world.imports import llm

    said = [(llm.Role.SYSTEM, system), (llm.Role.USER, user)]
    messages = [llm.Message(role, [llm.Content_Text(text)]) for role, text in said if text is not None]
    form = llm.Format_Text()
    if schema is not None:
        form = llm.Format_JsonSchema(llm.Schema("answer", None, json.dumps(schema)))
    fields = {
        "model": model, "messages": messages, "format": form, "for_item": None, "temperature": None, "top_p": None,
        "max_output_tokens": None, "stop": [], "seed": None, "idempotency_key": None, "timeout": None, "options": [],
    }
    try:
        text = llm.chat(llm.Request(**(fields | more))).text
    except Err as error:
        raise of_model(error.value) from None
    return text if schema is None else json.loads(text)


def of_model(error):
    """What an error of a model is for the stage: as wit/llm.wit says."""
    from wit_world.imports import llm_types as known

    value = error.value
    match error:
        case known.Error_RateLimited():
            return RateLimited("llm-rate-limited", value.message, value.retry_after)
        case known.Error_Unavailable():
            return Retryable("llm-unavailable", value.message, value.retry_after)
        case known.Error_Timeout():
            return Retryable("llm-timeout", value)
        case known.Error_ContextLengthExceeded():
            return Permanent("llm-context-length-exceeded", value.message)
        case known.Error_ContentFiltered():
            return Permanent("llm-content-filtered", value)
        case known.Error_InvalidOutput():
            return Permanent("llm-invalid-output", "; ".join(value.problems))
        case known.Error_InvalidRequest():
            return Permanent("llm-invalid-request", value)
        case known.Error_Denied():
            return Permanent("llm-denied", value)
        case known.Error_BudgetExhausted() if value.scope == known.BudgetScope.JOB:
            return Permanent("llm-budget-exhausted", value.message)
        case known.Error_BudgetExhausted():
            return RateLimited("llm-budget-exhausted", value.message)
        case known.Error_Misconfigured():
            return RateLimited("llm-misconfigured", value)
        case _:
            return Retryable("llm-failed", str(value))


def log(message, level="info"):
    """A message for the operator, who sees it with stage and job."""
    logging.log(logging.Level[level.upper()], "", message)


def time_left():
    """Milliseconds until the host stops this call."""
    return context.time_left()


def is_routed(label):
    """Whether the pipeline file gives this branch of the stage a route."""
    return context.is_routed(label)


def export(stage):
    """The two classes that the component exports."""
    configured = []

    class Lifecycle(wit_world.exports.Lifecycle):
        def describe(self):
            branches = [lifecycle.Branch(label, said) for label, said in stage.branches.items()]
            return lifecycle.Descriptor(
                stage.name, stage.version, stage.description, json.dumps(stage.config_schema), list(stage.accepts),
                branches, None,
            )

        def init(self, config_json):
            try:
                configured.append(stage(json.loads(config_json)))
            except ConfigFault as fault:
                raise Err([lifecycle.ConfigFault(fault.pointer, fault.message)]) from None

    class Handler(wit_world.exports.Handler):
        def process(self, item):
            try:
                outputs = configured[0].process(Item(item))
            except Drop as drop:
                return types.Outcome_Drop(drop.code)
            except Reject as reject:
                return types.Outcome_Reject(reject.failure)
            except RateLimited as error:
                raise Err(types.StageError_RateLimited(types.Retry(error.failure, error.after))) from None
            except Retryable as error:
                raise Err(types.StageError_Retryable(types.Retry(error.failure, error.after))) from None
            except Permanent as error:
                raise Err(types.StageError_Permanent(error.failure)) from None
            return types.Outcome_Emit([_output(output) for output in outputs])

    return Lifecycle, Handler


def _output(output):
    payload = output.payload.encode() if isinstance(output.payload, str) else bytes(output.payload)
    attributes = [types.Attribute(name, str(value)) for name, value in output.attributes.items()]
    return types.Output(payload, output.content_type, output.key, output.headers, attributes, output.branch)
