"""``python -m loadtests`` is the command ``loadtests``."""

from loadtests.cli import main

main()
