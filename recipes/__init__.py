"""How what ships was made: calibration and recorded answers."""
