"""The walk on a terminal: a bar per step, then the figures and the sign-ins."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from o2c.demo.plan.company import PERSONAS
from o2c.demo.summary import figures
from o2c.demo.walk.journey import Advance


class Bars:
    """A report of the walk as progress bars; a step ends where the next begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @staticmethod
    def columns() -> tuple[TextColumn, BarColumn, MofNCompleteColumn, TimeElapsedColumn]:
        return (
            TextColumn("{task.description:<44}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )

    def step(self, label: str, total: int | None = None) -> Advance:
        for task in self._progress.tasks:  # a total that was a guess becomes what was done
            if not task.finished or task.completed != task.total:
                self._progress.update(task.id, total=task.completed or 1, completed=task.completed or 1)
        task_id = self._progress.add_task(label, total=total)
        return lambda count: self._progress.advance(task_id, count)


def print_summary(console: Console) -> None:
    table = Table(title="What the books say", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("amount", justify="right")
    heading = ""
    for figure in figures():
        shown = f"{figure.heading} {figure.note}".strip() if figure.heading != heading else ""
        heading = figure.heading
        table.add_row(shown, figure.label, f"{figure.count:,}", figure.amount)
    console.print(table)


def print_logins(console: Console, address: str, password: str) -> None:
    console.print(
        f"\nThe console is at [bold]{address}[/bold]; everybody's password is [bold]{password}[/bold]"
    )
    table = Table(show_edge=False, pad_edge=False)
    for column in ("sign in as", "who", "role"):
        table.add_column(column)
    for persona in PERSONAS:
        table.add_row(persona.username, persona.name, ", ".join(persona.roles).replace("_", " "))
    console.print(table)
