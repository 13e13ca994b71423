/** User and group of every process in every image of ours. */
export const imageUser = 65_532
