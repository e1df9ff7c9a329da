"""A report: one HTML file that needs nothing else, and the same as JSON."""

from dreamgen.reports.report import Report

__all__ = ["Report"]
