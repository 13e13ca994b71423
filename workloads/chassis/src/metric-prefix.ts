/** `truenow_<role>` with `_` for `-`: what every metric of a role begins with. */
export const metricPrefix = (role: string): string => `truenow_${role.replaceAll('-', '_')}`
