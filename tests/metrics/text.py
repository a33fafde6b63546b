"""Reading what was scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text


class Scraped:
    """Samples by name and labels. The text is refused when it is not in its format."""

    def __init__(self, text: str, *, openmetrics: bool = False) -> None:
        self.text = text
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in (parse_openmetrics if openmetrics else parse_text)(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._values, f"twice: {key}"
                self._values[key] = sample.value

    def __call__(self, metric: str, /, **labels: str) -> float | None:
        return self._values.get((metric, frozenset(labels.items())))

    @property
    def names(self) -> dict[str, set[str]]:
        """Names of metrics, with the names of their labels."""
        found: dict[str, set[str]] = {}
        for name, labels in self._values:
            found.setdefault(name, set()).update(key for key, _ in labels)
        return found

    def series(self, name: str) -> Iterator[dict[str, str]]:
        """The labels of all series of a metric."""
        return (dict(labels) for found, labels in self._values if found == name)
