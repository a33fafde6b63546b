"""`kahi completion`: scripts that teach a shell to complete `kahi`, and the answers that they ask for.

A script runs ``kahi`` with ``_KAHI_COMPLETE`` set to the shell's name and the words before the
cursor as arguments, the unfinished one last. bash splits words where it likes, so it hands over the
line up to the cursor and the characters it splits at. The answer is a line for each candidate, with
its description behind a tab for the shells that show one; a line ``:files`` asks for file names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click

FILES: Final = ":files"

BASH: Final = r"""
_kahi() {
    local reply
    COMPREPLY=()
    while IFS= read -r reply; do
        if [ "$reply" = ":files" ]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("$reply")
        fi
    done < <(_KAHI_COMPLETE=bash "$1" "${COMP_LINE:0:$COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    if [ "${#COMPREPLY[@]}" = 1 ] && [ "${COMPREPLY[0]%=}" != "${COMPREPLY[0]}" ]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _kahi kahi
"""

ZSH: Final = r"""
#compdef kahi
_kahi() {
    local -a replies items
    local reply value
    replies=("${(@f)$(_KAHI_COMPLETE=zsh $words[1] "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for reply in $replies; do
        if [[ $reply == ":files" ]]; then
            _files
        elif [[ -n $reply ]]; then
            value=${reply%%$'\t'*}
            items+=("${value//:/\\:}:${${reply#$value}#$'\t'}")
        fi
    done
    (( $#items )) && _describe -V kahi items
}
if [ "$funcstack[1]" = "_kahi" ]; then
    _kahi "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _kahi kahi
fi
"""

FISH: Final = r"""
function __kahi_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l unfinished (commandline --current-token --cut-at-cursor | string unescape)
    for reply in (_KAHI_COMPLETE=fish $words[1] $words[2..] "$unfinished" 2>/dev/null)
        if test "$reply" = ":files"
            __fish_complete_path "$unfinished"
        else
            echo $reply
        end
    end
end
complete --command kahi --no-files --arguments "(__kahi_complete)"
"""

POWERSHELL: Final = r"""
Register-ArgumentCompleter -Native -CommandName kahi -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString().Trim("'", '"') })
    $before = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') { $before += '""' }
    $env:_KAHI_COMPLETE = 'powershell'
    try { $replies = & $words[0] @before 2>$null } finally { Remove-Item Env:_KAHI_COMPLETE }
    foreach ($reply in $replies) {
        if ($reply -eq ':files') { continue }
        $value, $description = $reply -split "`t", 2
        if (-not $description) { $description = $value }
        if ($value -match '[*?\[\]]') { $value = "'$value'" }
        [System.Management.Automation.CompletionResult]::new(
            $value, $value, 'ParameterValue', $description)
    }
}
"""

SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH, "powershell": POWERSHELL}


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash, in ~/.bashrc:          eval "$(kahi completion bash)"
    zsh, in ~/.zshrc:            eval "$(kahi completion zsh)"
    fish, once:                  kahi completion fish > ~/.config/fish/completions/kahi.fish
    PowerShell, in $PROFILE:     kahi completion powershell | Out-String | Invoke-Expression
    """
    click.echo(SCRIPTS[shell].strip())


def complete(group: click.Command, shell: str, words: Sequence[str]) -> int:
    """Answer a completion script: print candidates, or nothing, whatever goes wrong; returns 0."""
    try:
        prefix = ""
        if shell == "bash":
            *before, unfinished = split_line(words[0])[1:]
            prefix = cut_off(unfinished, words[1])
        else:
            *before, unfinished = words or ("",)
            if shell == "powershell" and unfinished == '""':
                unfinished = ""
        found = candidates(group, before, unfinished)
        lines = [_written(shell, value, description, prefix) for value, description in found]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except Exception:  # boundary: a shell that completes must not show our problems
        if os.environ.get("KAHI_DEBUG") == "1":
            raise
    return 0


def candidates(group: click.Command, before: Sequence[str], unfinished: str) -> list[tuple[str, str]]:
    """What ``unfinished`` may become after the words ``before``, with descriptions."""
    from click.shell_completion import ShellComplete

    found: list[tuple[str, str]] = []
    start = ""
    if unfinished.startswith("--") and "=" in unfinished:
        start = unfinished.partition("=")[0] + "="
    for item in ShellComplete(group, {}, "kahi", "").get_completions(list(before), unfinished):
        if item.type == "plain":
            found.append((start + item.value, " ".join((item.help or "").split())))
        else:
            return [(FILES, "")]
    return found


def split_line(line: str) -> list[str]:
    """The words of a bash command line up to the cursor; the last one may be unfinished or empty."""
    words = [""]
    quote = ""
    begun = escaped = False
    for character in line.lstrip():
        if escaped:
            words[-1] += character
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                words[-1] += character
        elif character in "'\"":
            quote = character
            begun = True
        elif character.isspace():
            if begun or words[-1]:
                words.append("")
            begun = False
        else:
            words[-1] += character
    return words


def cut_off(unfinished: str, breaks: str) -> str:
    """What bash has already split off the unfinished word, and so must not get again."""
    last = max((unfinished.rfind(character) for character in breaks if character in ":="), default=-1)
    return unfinished[: last + 1]


def _written(shell: str, value: str, description: str, prefix: str) -> str:
    if shell == "bash":
        return value.removeprefix(prefix).replace("*", "\\*") if value != FILES else value
    return f"{value}\t{description}" if description else value
