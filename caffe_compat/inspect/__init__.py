"""Nets and solvers looked at without running them: shapes and costs, pictures, and what people regret."""
