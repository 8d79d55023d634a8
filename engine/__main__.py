"""`python -m engine`: the command line without the script."""

from engine.cli import main

main()
