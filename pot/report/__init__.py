"""The report of one run: a typed document that becomes ``report.json`` and one self-contained HTML page."""
