"""One file a verb of the command line: a function whose parameters are the verb's options."""
