"""Reading derivatives: formulas, tables, drawings, source code."""
