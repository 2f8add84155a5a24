"""The report page and the page of stored results."""
