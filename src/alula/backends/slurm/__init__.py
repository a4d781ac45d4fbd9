"""Jobs of a Slurm cluster: scripts, and containers' commands, handed to `sbatch` or to `slurmrestd`.

`plugin` is the contract; `config` what tasks and operators say; `script` what is handed in; `transport` what is asked
of a cluster, by its `commands` or over `rest`; `states` what its answers mean; `outputs` what a script left in files.
"""

from alula.backends.slurm.plugin import Slurm as Slurm

__all__ = ["Slurm"]
