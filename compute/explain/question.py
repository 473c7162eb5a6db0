"""What an explanation is narrowed to, in the words of whoever asks; what does not exist is said with what does."""

from dataclasses import dataclass
from datetime import UTC, datetime

from compute.errors import ExplainError
from compute.project import PeriodSettings, ProjectSettings
from metering.interval import HOUR_MS, Interval


@dataclass(frozen=True, slots=True)
class Question:
    """How far down, and which way."""

    parameter: str | None = None
    """Only this monitored parameter below its emissions; None = all."""
    point: str | None = None
    """Only this metering point below its emissions; None = all."""
    hour_ms: int | None = None
    """The start of the hour that is explained down to the register words [ms]; None = none."""

    @property
    def shows_hours(self) -> bool:
        """Whether it was narrowed, and hours are listed: those of all points of a year would be too many to read."""
        return (self.parameter, self.point, self.hour_ms) != (None, None, None)

    @property
    def hour(self) -> Interval | None:
        """The hour [ms]."""
        return None if self.hour_ms is None else Interval(self.hour_ms, self.hour_ms + HOUR_MS)

    def wants(self, parameter: str, point: str) -> bool:
        """Whether a parameter at a point is asked for."""
        return self.parameter in {None, parameter} and self.point in {None, point}


def question_of(
    project: ProjectSettings,
    period: PeriodSettings,
    parameter: str | None = None,
    point: str | None = None,
    hour: str | None = None,
) -> Question:
    """Check a question against the project that it is about.

    Args:
        project: the project.
        period: one of its periods.
        parameter: a monitored parameter, for example "EG".
        point: a metering point.
        hour: an instant in the hour, as ISO 8601; without an offset it is local time of the project.

    Raises:
        ExplainError: when the project does not monitor it, or the hour is none of the period; says what is allowed.
    """
    pairs = [
        (spec.parameter, place.id) for spec in project.method.monitored for place in project.points_with(spec.role)
    ]
    if parameter is not None and parameter not in {name for name, _ in pairs}:
        raise ExplainError(f"project {project.id} monitors no parameter {parameter!r}; it monitors: {_list(pairs, 0)}")
    fitting = [pair for pair in pairs if parameter in {None, pair[0]}]
    if point is not None and point not in {place for _, place in fitting}:
        what = "anything" if parameter is None else parameter
        raise ExplainError(
            f"project {project.id} does not monitor {what} at point {point!r}; points: {_list(fitting, 1)}"
        )
    return Question(parameter, point, None if hour is None else _hour_ms(project, period, hour))


def _list(pairs: list[tuple[str, str]], which: int) -> str:
    return ", ".join(dict.fromkeys(pair[which] for pair in pairs))


def _hour_ms(project: ProjectSettings, period: PeriodSettings, text: str) -> int:
    span = project.interval_of(period)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ExplainError(f"hour {text!r} is not a time; write it like {local_text(span.start_ms, project)}") from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=project.zone)
    # Hours are counted from the period's first local midnight, so that they are whole local hours in any zone.
    at_ms = round(aware.timestamp() * 1000)
    hour_ms = span.start_ms + (at_ms - span.start_ms) // HOUR_MS * HOUR_MS
    if hour_ms not in span:
        last_ms = span.end_ms - HOUR_MS
        raise ExplainError(
            f"hour {text} is not in period {period.id}; its hours begin from {local_text(span.start_ms, project)}"
            f" to {local_text(last_ms, project)} ({project.time_zone})"
        )
    return hour_ms


def local_text(at_ms: int, project: ProjectSettings) -> str:
    """Write an instant [ms] in the project's civil time, to the second."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(project.zone)
    return moment.replace(tzinfo=None).isoformat(timespec="minutes" if moment.second == 0 else "seconds")
