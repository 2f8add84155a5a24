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
# # How much do k, n and ε matter?
#
# Gains over vanilla with their 95 % intervals, beside the published series. Whatever a setting gains, it must gain over
# mixup alone, the dash-dotted line.

# %%
from analysis.notebooks.show import open_results, show_figure, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %% [markdown]
# ## The share k

# %%
show_figure("k", folder)

# %%
show_table("entprop/16", folder)

# %% [markdown]
# ## The attack iterations n

# %%
show_figure("n", folder)

# %%
show_table("entprop/17", folder)

# %% [markdown]
# ## The radius ε

# %%
show_figure("epsilon", folder)

# %%
show_table("entprop/epsilon", folder)

# %% [markdown]
# ## Highest entropy or random samples

# %%
show_figure("selection", folder)

# %%
show_table("entprop/figure4", folder)
