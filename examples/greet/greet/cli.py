"""The command line: what to say, to whom, and whether to look at an address on the web as well."""

import click
import httpx
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from .greetings import greetings


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", default="world", show_default=True, help="Whom to greet.")
@click.option(
    "--language", type=click.Choice(sorted(greetings())), default="English", show_default=True, help="How to say it."
)
@click.option("--url", metavar="ADDRESS", help="Say also what is to be had at this address.")
def main(name: str, language: str, url: str | None) -> None:
    """Greet somebody in one of many languages."""
    sentence = greetings()[language].format(name=name)
    console = Console()
    console.print(Panel(Text(sentence, style="bold green"), title=language, expand=False))
    if url:
        console.print(look_at(url))


def look_at(url: str) -> str:
    """Say in one line what a GET of ``url`` gives."""
    try:
        answer = httpx.get(url, follow_redirects=True, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise click.ClickException(f"{url}: {error}") from error
    return f"{answer.url}: {answer.status_code} {answer.reason_phrase}, {len(answer.content)} bytes"
