"""Pretraining on text: what a run is given, how it is prepared and what it will cost, and the run itself."""
