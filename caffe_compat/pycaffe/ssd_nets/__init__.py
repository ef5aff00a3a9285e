"""The nets and heads of model_libs, made with NetSpec."""
