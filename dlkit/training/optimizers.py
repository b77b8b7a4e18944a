"""Which optimizers does Keras not have?"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("dlkit")
class FusedAdam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015) whose update of a variable is one operation of TensorFlow instead of a dozen of Keras.

    The same formula; results differ from Keras' in the last bits. For many small steps on a processor.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
