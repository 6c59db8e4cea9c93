"""A stage that puts one space between words and counts them."""

from gristmill import Output, Stage, export


class {{type}}(Stage):
    name = "{{name}}"
    description = "Puts one space between words and counts them"
    accepts = ["text/*"]

    def process(self, item):
        words = item.text().split()
        return [Output.of(item, " ".join(words), attributes={"{{name}}.words": len(words)})]


Lifecycle, Handler = export({{type}})
