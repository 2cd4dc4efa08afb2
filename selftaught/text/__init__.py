"""Texts: what a run is given, how it is prepared and what it will cost, the run, and what it is measured by."""
