"""What holds for every test."""

from hypothesis import settings

# No test judges the machine: how long an example takes is not its matter.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
