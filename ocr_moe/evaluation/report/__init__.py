"""What people look at: report.html and accuracy.xlsx."""
