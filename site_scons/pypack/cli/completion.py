"""``pypack completion``: prints what makes a shell complete the command's words."""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "fish", "powershell")
_EXAMPLES = """\
examples:
  eval "$(pypack completion bash)"                                       in ~/.bashrc
  eval "$(pypack completion zsh)"                                        in ~/.zshrc, behind compinit
  pypack completion fish > ~/.config/fish/completions/pypack.fish
  pypack completion powershell | Out-String | Invoke-Expression          in $PROFILE
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion", help="print what makes a shell complete the command", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Print the shell's code."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["pypack"], shell=typed.shell))
    return 0


def answer(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what can come next, and end."""
    import argcomplete

    argcomplete.autocomplete(parser)
