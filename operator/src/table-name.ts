/** `namespace.name` of a table, the end of its topic's name; neither holds a dot. Pure. */
export const tableName = (topic: string): string => topic.split('.').slice(-2).join('.')
