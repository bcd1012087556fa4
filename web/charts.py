"""What a chart is: a Plotly figure with the words and the table that say the same."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """Something marked on a picture, in words, and where it leads."""

    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, the sentence under it, and its twin as a table (texts, ready to show).

    Colours in `figure` are names of CSS variables with an @, such as "@worse", which
    `static/js/charts.js` reads from the page, so that one figure serves both themes; "@worse/30"
    is 30% opaque. No <b> in texts: Plotly styles it in a way that the CSP refuses.
    """

    id: str
    title: str
    summary: str
    figure: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    unit: str = ""
    height: str = "medium"  # low, medium, tall: how much room the picture takes
    marks: tuple[Mark, ...] = ()  # what is marked, for those who neither point nor see

    @property
    def data_id(self) -> str:
        """The id of the JSON block that holds the figure."""
        return f"{self.id}-figure"
