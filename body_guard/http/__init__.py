"""One outgoing request: look at its body, judge it, remember the verdict, repair it, report."""
