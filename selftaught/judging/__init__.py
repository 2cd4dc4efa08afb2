"""The judgement behind ``selftaught verdict``: who is judged, on which rows, beside what, and what came out."""
