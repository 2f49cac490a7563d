"""From the results of many runs to an answer."""
