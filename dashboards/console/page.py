"""In: a snapshot a second. Out: the page at /console, changed in place where the snapshot changed.

Grey is the base; colour marks what deviates: a reading that is missing, doubtful or old, a held or refused record, a
tonne that is not creditable.
"""

from collections.abc import Awaitable, Callable

from nicegui import ui

from dashboards.console.views import GatewayView, ProjectView, ReadingView, Snapshot, TonnesView, VintageView

REFRESH_S = 1.0
_DEVIATION = "text-orange-10"
_QUIET = "text-grey-7"
_COLUMNS = ("point", "measurand", "value", "age", "quality")
_RIGHT = {"value", "age"}
# One template for all cells: colour follows from the row, so that a deviating line is seen as one.
_CELL = """
<q-td :props="props" :title="'slot ' + props.row.slot" :class="props.row.deviates ? 'text-orange-10' : ''">
  {{ props.value }} <span v-if="props.col.name == 'value'" class="text-grey-7">{{ props.row.unit }}</span>
</q-td>
"""
_STYLE = """
body { background: #eef0f2; font-variant-numeric: tabular-nums; }
.projects { display: grid; gap: 16px; width: 100%; align-items: start; }
.projects { grid-template-columns: repeat(auto-fit, minmax(450px, 1fr)); }
.q-expansion-item .q-item { padding: 0 !important; }
.q-table th { color: #757575; }
.q-table th, .q-table td { padding: 2px 5px !important; font-size: 12px !important; }
"""


class Section:
    """A part of the page that is drawn anew only when what it shows has changed."""

    def __init__(self, draw: Callable[..., None]) -> None:
        """Keep how to draw; the place is where the section is made.

        Args:
            draw: draws the section's view into the current place.
        """
        self._draw = draw
        self._shown: tuple[object, ...] | None = None
        self._place = ui.column().classes("w-full gap-1")

    def show(self, *view: object) -> None:
        """Show a view; an empty one takes no room, one that is already shown costs nothing."""
        if view == self._shown:
            return
        self._shown = view
        self._place.set_visibility(any(view))
        self._place.clear()
        with self._place:
            self._draw(*view)


class ProjectCard:
    """One project: its tonnes, its gateway, its readings."""

    def __init__(self, view: ProjectView) -> None:
        """Draw the card's frame with what never changes."""
        with ui.card().classes("w-full gap-3").props("flat bordered"):
            with ui.column().classes("gap-0"):
                ui.label(view.title).classes("text-h6")
                ui.label(f"{view.id} · {view.place}").classes(_QUIET)
            self._trouble = Section(_draw_trouble)
            self._tonnes = Section(_draw_tonnes)
            self._lately = Section(_draw_lately)
            # Apart from the numbers, so that opened reasons stay open while the numbers move.
            self._credit = Section(_draw_credit)
            ui.separator()
            self._gateway = Section(_draw_gateway)
            ui.separator()
            self._waiting = Section(_draw_waiting)
            self._readings = _readings_table()

    def show(self, view: ProjectView) -> None:
        """Show the project as it is now."""
        self._trouble.show(view.trouble)
        self._tonnes.show(view.tonnes.vintages)
        self._lately.show(view.tonnes.lately)
        self._credit.show(_credit_word(view.tonnes), view.tonnes.blocked_by)
        self._gateway.show(view.gateway)
        self._waiting.show("" if view.readings else f"waiting for the first reading of gateway {view.gateway.name}")
        rows = [_row(reading) for reading in view.readings]
        self._readings.set_visibility(bool(rows))
        if rows != self._readings.rows:
            self._readings.rows = rows


def draw(snapshot: Snapshot, fetch: Callable[[], Awaitable[Snapshot]]) -> None:
    """Draw the page and keep it up to date while the browser shows it.

    Args:
        snapshot: what to show first.
        fetch: gives what to show later; called once a second for each browser.
    """
    ui.add_css(_STYLE)
    with ui.header().classes("bg-white text-grey-9 items-baseline gap-4").props("bordered"):
        ui.label("Sakugen").classes("text-h6")
        ui.label("live readings and tonnes").classes(_QUIET)
        ui.space()
        now = ui.label().classes(_QUIET)
    with ui.element("div").classes("projects"):
        cards = {view.id: ProjectCard(view) for view in snapshot.projects}

    def show(current: Snapshot) -> None:
        scaled = current.factor != 1
        now.set_text(f"{current.now} in the plants, {current.factor:,.0f} × real time" if scaled else current.now)
        for view in current.projects:
            cards[view.id].show(view)

    async def refresh() -> None:
        show(await fetch())

    show(snapshot)
    ui.timer(REFRESH_S, refresh, immediate=False)


def _readings_table() -> ui.table:
    columns = [
        {"name": name, "label": name, "field": name, "align": "right" if name in _RIGHT else "left"}
        for name in _COLUMNS
    ]
    table = ui.table(columns=columns, rows=[], row_key="key", pagination=0).classes("w-full")
    table.props("dense flat hide-bottom").add_slot("body-cell", _CELL)
    return table


def _row(reading: ReadingView) -> dict[str, object]:
    cells: dict[str, object] = {name: getattr(reading, name) for name in _COLUMNS}
    key = f"{reading.point}/{reading.measurand}"
    return cells | {"key": key, "unit": reading.unit, "slot": reading.slot, "deviates": reading.deviates}


def _draw_trouble(trouble: str) -> None:
    ui.label(trouble).classes(_DEVIATION)


def _draw_waiting(text: str) -> None:
    ui.label(text).classes(f"{_QUIET} italic")


def _draw_tonnes(vintages: tuple[VintageView, ...]) -> None:
    with ui.row().classes("gap-10"):
        for vintage in vintages:
            _draw_vintage(vintage)


def _draw_lately(text: str) -> None:
    ui.label(text).classes(f"{_QUIET} text-caption")


def _credit_word(tonnes: TonnesView) -> str:
    if not tonnes.vintages:
        return "waiting for the first result of compute"
    return "creditable" if tonnes.creditable else "not creditable"


def _draw_credit(word: str, blocked_by: tuple[str, ...]) -> None:
    if not blocked_by:
        ui.label(word).classes(_QUIET)
        return
    reasons = tuple(dict.fromkeys(blocked_by))
    count = "1 reason" if len(reasons) == 1 else f"{len(reasons)} reasons"
    with ui.expansion(f"{word}, {count}").classes("w-full").props(f"dense header-class={_DEVIATION}"):
        for reason in reasons:
            ui.label(reason).classes("text-caption")


def _draw_vintage(vintage: VintageView) -> None:
    state = "provisional" if vintage.provisional else "final"
    with ui.column().classes("gap-0"):
        ui.label(f"vintage {vintage.year} of {vintage.period} · {state}").classes(f"{_QUIET} text-caption")
        with ui.row().classes("items-baseline gap-2"):
            ui.label(vintage.tonnes).classes("text-h4 text-weight-medium")
            ui.label("tCO₂e").classes(_QUIET)
        ends = vintage.low if vintage.low == vintage.high else f"{vintage.low} … {vintage.high}"
        ui.label(ends).classes(f"{_QUIET} text-caption").tooltip("both ends of the reduction, before the floor [tCO₂e]")


def _draw_gateway(gateway: GatewayView) -> None:
    with ui.row().classes("w-full items-baseline gap-4"):
        ui.label(gateway.name).classes("text-weight-medium")
        ui.space()
        for word, number in (("held", gateway.held), ("refused", gateway.refused)):
            ui.label(f"{number:,} {word}").classes(_DEVIATION if number else _QUIET)
    if not gateway.streams:
        ui.label(f"waiting for the first record of gateway {gateway.name}").classes(f"{_QUIET} italic")
    for stream in gateway.streams:
        with ui.row().classes("w-full items-baseline gap-2 text-caption"):
            ui.label(f"stream {stream.stream}")
            ui.space()
            ui.label(f"record {stream.head:,}")
            ui.label(f"{stream.heard} ago").classes(_QUIET)
    for incident in gateway.incidents:
        ui.label(incident).classes(_DEVIATION)
