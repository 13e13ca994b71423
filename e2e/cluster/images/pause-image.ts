/** Holds the namespaces of a pod; does nothing but sleep. The busybox image does that, too. */
export const pauseImage = 'localhost/truenow-busybox:1'
