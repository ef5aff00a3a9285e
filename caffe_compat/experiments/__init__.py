"""The paper's runs as data, and what is measured on runs: range test, rate estimate, grid, figures, report.

    catalogue   every row of the figures and tables of arXiv 1708.07120, and rows beside them
    prepare     a row, scaled or changed, as solver and net messages
    runner      runs one after another or spread over GPUs, resumed after a kill, never twice
    results     what a finished log says, kept beside it and reported against the published figures
    figures     the paper's figures from logs
    lr_range    a learning-rate range test, read
    estimate    the learning rate that successive weights imply (equation 8)
    grid        short runs over combinations of settings, ranked

Nothing here imports torch: training is done by `caffe-compat train` in processes of its own.
"""
