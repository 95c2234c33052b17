"""Who is asked, and what it comes to: the loop, gates, combiners, calibration."""
