"""nexus-loadtests: a load-testing harness that doubts itself first."""

__version__ = "0.1.0"
