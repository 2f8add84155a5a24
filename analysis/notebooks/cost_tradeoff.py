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
# # What does accuracy cost?
#
# H against the cost of an epoch, ours and the paper's figure 3, then all settings on one axis. One N is an epoch of
# vanilla training.

# %%
from analysis.notebooks.show import open_results, show_figure, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %%
show_figure("cost", folder)

# %%
show_figure("printed", folder)

# %%
show_table("cost", folder)

# %%
show_figure("pareto", folder)

# %% [markdown]
# ## The papers' formulas and our count

# %%
show_table("entprop/1", folder)

# %%
show_table("mixprop/4", folder)

# %% [markdown]
# ## All methods

# %%
show_table("entprop/2", folder)

# %%
show_table("entprop/4", folder)
