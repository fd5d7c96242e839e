"""retrysim: a discrete-event simulator and test harness for retry semantics."""
