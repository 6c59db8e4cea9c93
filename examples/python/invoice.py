"""Adds up the lines of an invoice, to the cent, and rejects one whose total is wrong."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from gristmill import Output, Reject, Stage, export

CENT = Decimal("0.01")


class Invoice(Stage):
    name = "invoice"
    version = "0.1.0"
    description = "Adds up the lines of an invoice and checks its total"
    accepts = ["application/json"]
    config_schema = {
        "type": "object",
        "properties": {"tax_percent": {"type": "number", "minimum": 0, "maximum": 100}},
        "additionalProperties": False,
    }

    def __init__(self, config):
        self.tax = Decimal(str(config.get("tax_percent", 0))) / 100

    def process(self, item):
        invoice = item.json()
        if not isinstance(invoice, dict):
            raise Reject("not-an-invoice", "the payload is no JSON object")
        lines = invoice.get("lines", [])
        if not isinstance(lines, list):
            raise Reject("not-an-invoice", "`lines` is no list")
        net = sum((number(line, "price") * number(line, "quantity") for line in lines), Decimal(0))
        total = (net * (1 + self.tax)).quantize(CENT, ROUND_HALF_UP)
        stated = invoice.get("total")
        if stated is not None and number(invoice, "total") != total:
            raise Reject("wrong-total", "the total is not what the lines add up to", {"expected": str(total)})
        return [Output.json(item, invoice | {"total": str(total)}, attributes={"invoice.lines": len(lines)})]


def number(of, name):
    """A number of the invoice, without the rounding of floats."""
    try:
        value = Decimal(str(of[name]))
    except (KeyError, TypeError, InvalidOperation):
        value = None
    if value is None or not value.is_finite():
        raise Reject("not-a-number", f"`{name}` is missing or no number")
    return value


Lifecycle, Handler = export(Invoice)
