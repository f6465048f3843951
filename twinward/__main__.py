"""`python -m twinward`."""

from twinward.cli import main

main()
