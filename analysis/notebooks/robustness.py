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
# # Which corruptions and attacks does a setting survive?
#
# Accuracy by corruption and severity of the best setting, and its difference to vanilla; accuracy under PGD-20; what
# the norms see while training.

# %%
from analysis.notebooks.show import open_results, show_figure, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %%
show_figure("deciding", folder)

# %%
show_figure("corruptions", folder)

# %%
show_figure("pgd", folder)

# %%
show_figure("attacks", folder)

# %%
show_table("entprop/11", folder)

# %%
show_figure("entropy", folder)

# %%
show_figure("histogram", folder)

# %%
show_table("entprop/figure6", folder)

# %%
show_table("ceb/figure2", folder)
