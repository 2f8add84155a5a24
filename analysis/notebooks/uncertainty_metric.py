# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which measure of uncertainty should choose the samples?
#
# Four measures at k = 0.2, n = 1. The paper finds no clear winner across networks.

# %%
from analysis.notebooks.show import open_results, show_figure, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %%
show_figure("metric", folder)

# %%
show_table("entprop/8", folder)
