/** 1.34 is the last minor that runs on cgroup v1; binaries/go.mod names the same version (tested). */
export const kubernetesVersion = 'v1.34.4'
